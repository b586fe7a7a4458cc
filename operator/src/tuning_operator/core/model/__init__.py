"""What is known of a job, its trials and attempts: values without decisions."""
