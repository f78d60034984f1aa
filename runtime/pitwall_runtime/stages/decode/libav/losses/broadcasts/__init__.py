"""What of a broadcast's recording is lost, exchanged or only held: MPEG transport streams."""
