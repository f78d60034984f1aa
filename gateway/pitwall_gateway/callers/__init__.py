"""Who may ask: API keys and signed tokens, how much each caller may ask, and whose answer an answer is."""
