"""What trainers work with: the corpus, the training of models, and what the bot did not understand."""
