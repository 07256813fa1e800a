"""The three ways out: signed webhooks, mail, and one library for everything else."""
