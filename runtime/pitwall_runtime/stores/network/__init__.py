"""What machines share over the network, and how long a question waits for it."""
