"""What is done between a video and its answer, alike in every variant: decode, segment, encode, reduce, answer."""
