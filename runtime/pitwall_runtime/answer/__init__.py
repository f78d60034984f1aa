"""Answer: the chosen frames in, words with times out. Three engines behind one port."""
