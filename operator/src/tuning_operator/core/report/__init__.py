"""What people are shown: Events, counts and conditions."""
