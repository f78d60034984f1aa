"""What is done to single pictures: deinterlaced, tone-mapped, turned upright."""
