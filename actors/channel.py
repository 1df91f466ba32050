"""A channel: frames of one socket become requests, and what is refused or answered goes back."""
