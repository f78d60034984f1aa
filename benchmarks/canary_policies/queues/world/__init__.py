"""What happens: bursts of questions, users, pods with queues, and how long each answer takes."""
