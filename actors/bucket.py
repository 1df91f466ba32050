"""A bucket: how much of something may be used in a time, and how long to wait where it is empty."""
