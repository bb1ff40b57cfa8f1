"""What fine-tuning and evaluation both take from a run: its images, and networks beside its own."""
