"""The nouns of a question's way: question, answer, refusal, what is counted."""
