"""What `benchmarks.nlu` is made of: tasks out of data sets, bots trained on them, figures out of what the bots said."""
