"""What a status means: the split, copies and pods that shall be, what they wait for, and the effects still missing."""
