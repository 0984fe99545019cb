"""All that runs inside the engine process: the only room that imports Rasa. It knows nothing else of the bot."""
