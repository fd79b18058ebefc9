"""The names of Rasa's components: which our own parts stand for, and which nothing does."""

# Our network, patterns and tokenizer do the work of these.
SERVED_COMPONENTS = {
    "WhitespaceTokenizer",
    "JiebaTokenizer",
    "MitieTokenizer",
    "SpacyTokenizer",
    "ConveRTTokenizer",
    "LanguageModelTokenizer",
    "RegexFeaturizer",
    "CountVectorsFeaturizer",
    "LexicalSyntacticFeaturizer",
    "LanguageModelFeaturizer",
    "SpacyFeaturizer",
    "MitieFeaturizer",
    "ConveRTFeaturizer",
    "DIETClassifier",
    "FallbackClassifier",
    "KeywordIntentClassifier",
    "LogisticRegressionClassifier",
    "SklearnIntentClassifier",
    "MitieIntentClassifier",
    "CRFEntityExtractor",
    "DucklingEntityExtractor",
    "DucklingHTTPExtractor",
    "MitieEntityExtractor",
    "RegexEntityExtractor",
    "SpacyEntityExtractor",
    "EntitySynonymMapper",
    "ResponseSelector",
    "SpacyNLP",
    "MitieNLP",
    "HFTransformersNLP",
    "EmbeddingIntentClassifier",
    "TransformerNLP",
}

# The named pipelines of 1.x.
PIPELINE_TEMPLATES = {
    "supervised_embeddings",
    "pretrained_embeddings_spacy",
    "pretrained_embeddings_convert",
    "tensorflow_embedding",
    "spacy_sklearn",
}

RULE_POLICY = "RulePolicy"
MEMOIZATION = "MemoizationPolicy"
AUGMENTED = "AugmentedMemoizationPolicy"
LEARNED = "TEDPolicy"
UNLIKELY = "UnexpecTEDIntentPolicy"
SERVED_POLICIES = {RULE_POLICY, MEMOIZATION, AUGMENTED, LEARNED, UNLIKELY}

# Policies of 1.x and 2.x and what stands for them since 3.0.
OLD_POLICIES = {
    "FormPolicy": RULE_POLICY,
    "MappingPolicy": RULE_POLICY,
    "FallbackPolicy": RULE_POLICY,
    "TwoStageFallbackPolicy": RULE_POLICY,
    "KerasPolicy": LEARNED,
    "EmbeddingPolicy": LEARNED,
    "SklearnPolicy": LEARNED,
}
# What Rasa runs where `policies:` is missing or empty.
DEFAULT_POLICIES = (MEMOIZATION, RULE_POLICY, UNLIKELY, LEARNED)
DEFAULT_LEARNED_HISTORY = 5

SERVED_CHANNELS = {"rest", "callback", "socketio"}
KNOWN_CHANNELS = {
    "slack",
    "telegram",
    "facebook",
    "twilio",
    "twilio_voice",
    "mattermost",
    "rocketchat",
    "botframework",
    "webexteams",
    "hangouts",
    "cmdline",
}


def component_name(name: str) -> str:
    """The bare name of one of Rasa's own components, given by name or by class path.

    >>> component_name("rasa.nlu.classifiers.diet_classifier.DIETClassifier")
    'DIETClassifier'
    >>> component_name("actions.sentiment.Analyzer")
    'actions.sentiment.Analyzer'
    """
    if name.startswith(("rasa.", "rasa_core.", "rasa_nlu.")):
        return name.rpartition(".")[2]
    return name
