"""What a running job uses, sampled from outside of it: raw samples in the job's folder, and what they say per phase."""
