"""What every process needs of its machine: whole files, sockets, pauses between tries."""
