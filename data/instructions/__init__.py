"""Requests and helpful responses to train on, bundled or the user's own."""
