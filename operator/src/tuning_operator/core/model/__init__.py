"""What is known of a job and of what belongs to it: values without decisions."""
