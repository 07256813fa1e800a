"""What alerts knows: rules, the life of an alert, service levels, evidence, words. Time is an argument."""
