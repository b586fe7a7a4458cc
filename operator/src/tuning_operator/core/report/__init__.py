"""What users see: Events, counts and conditions."""
