"""Who is asked: questions of users in, answers of the assigned variant out, and the evidence counted on the way."""
