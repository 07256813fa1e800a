"""Strangers at the door: hostile requests, fuzzed parsers, documented answers, searched output."""
