"""Quality feedback: thumbs, follow-up questions and completed tasks, each counted once."""
