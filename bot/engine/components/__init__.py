"""Graph components of ours that `config.yml` names by their full path.

`sentence_featurizer.SentenceEmbeddingFeaturizer` turns a message into a vector with a small sentence encoder;
`intent_classifier.LinearIntentClassifier` chooses the intent from that vector and the message's n-grams, and says when
the message is none of the bot's business. Rasa inspects their signatures: parameters are found by name, annotations are
required.
"""
