"""Decide whom to wake, tell them, follow up until the customer's own behaviour shows whether it helped."""
