"""Graph components of ours that `config.yml` names by their full path.

`language_identifier.LanguageIdentifier` tells a message's language; `sentence_featurizer.SentenceEmbeddingFeaturizer`
turns it into a vector with a small sentence encoder; `intent_classifier.LinearIntentClassifier` chooses the intent from
that vector and the message's n-grams, and says when it is none of the bot's business;
`classifier_by_language.IntentClassifierByLanguage` does so for each language; `article_finder.ArticleFinder` answers
from articles what no intent does; `details.extractor.DetailExtractor` reads numbers, dates and names. Rasa inspects
their signatures: parameters are found by name, annotations are required.
"""
