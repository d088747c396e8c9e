"""The words that names of runs are made of: pleasant, short, easy to say and to type. Used by ``names``."""

from __future__ import annotations

__all__ = ["ADJECTIVES", "ANIMALS"]

# fmt: off
ADJECTIVES = (
    "able", "airy", "amber", "apt", "arctic", "autumn", "azure", "balmy", "bold", "brave", "breezy", "bright",
    "brisk", "bronze", "calm", "candid", "cheery", "chipper", "civil", "clear", "clever", "coastal", "cool",
    "copper", "coral", "cosmic", "cosy", "crisp", "daring", "dapper", "deft", "dewy", "eager", "early", "easy",
    "elder", "epic", "even", "fair", "fancy", "fearless", "fine", "fleet", "fluffy", "fond", "frank", "fresh",
    "frosty", "gallant", "gentle", "gilded", "glad", "golden", "grand", "green", "hardy", "hearty", "honest",
    "humble", "ideal", "indigo", "ivory", "jade", "jolly", "jovial", "keen", "kind", "lively", "loyal", "lucid",
    "lucky", "lunar", "maple", "mellow", "merry", "mighty", "mild", "mint", "misty", "modest", "neat", "nimble",
    "noble", "novel", "opal", "open", "patient", "pearl", "placid", "plucky", "polite", "proud", "quick", "quiet",
    "rapid", "ready", "rosy", "royal", "rustic", "sage", "sandy", "scarlet", "serene", "sharp", "shiny", "silent",
    "silver", "sleek", "smart", "smooth", "snowy", "solar", "solid", "spry", "stable", "stellar", "sturdy", "sunny",
    "swift", "tawny", "tender", "tidy", "tranquil", "true", "upbeat", "valiant", "velvet", "verdant", "vivid",
    "warm", "wise", "witty", "young", "zesty",
)
"""The first half of a name."""

ANIMALS = (
    "alpaca", "ant", "antelope", "badger", "bat", "bear", "beaver", "bee", "beetle", "bison", "bobcat", "buffalo",
    "bunting", "camel", "caribou", "cat", "cheetah", "chough", "civet", "condor", "coyote", "crab", "crane",
    "cricket", "crow", "curlew", "deer", "dingo", "dolphin", "dove", "dragonfly", "duck", "dunlin", "eagle",
    "egret", "elk", "emu", "falcon", "ferret", "finch", "firefly", "flamingo", "fox", "frog", "gannet", "gazelle",
    "gecko", "gibbon", "giraffe", "goose", "grebe", "grouse", "gull", "hare", "hawk", "hedgehog", "heron", "hoopoe",
    "horse", "ibex", "ibis", "iguana", "impala", "jackal", "jaguar", "jay", "kestrel", "kiwi", "koala", "kudu",
    "lark", "lemur", "leopard", "linnet", "lion", "lizard", "llama", "lobster", "loon", "lynx", "macaw", "magpie",
    "manatee", "marmot", "marten", "martin", "meerkat", "mole", "moose", "moth", "mouse", "mule", "newt", "ocelot",
    "octopus", "okapi", "oriole", "osprey", "otter", "owl", "oyster", "panda", "panther", "parrot", "partridge",
    "pelican", "penguin", "petrel", "pheasant", "pika", "pigeon", "plover", "pony", "puffin", "puma", "quail",
    "rabbit", "raccoon", "ram", "raven", "robin", "salmon", "sandpiper", "seal", "seahorse", "serval", "sparrow",
    "squirrel", "starling", "stork", "swallow", "swan", "swift", "tamarin", "tapir", "tern", "thrush", "tiger",
    "toucan", "trout", "turtle", "viper", "vole", "walrus", "warbler", "weasel", "whale", "wolf", "wombat", "wren",
    "yak", "zebra",
)
"""The second half of a name."""
# fmt: on
