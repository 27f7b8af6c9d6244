"""What captioners are asked: by kind of caption, and ready questions of one's own that name the trigger word."""

from __future__ import annotations

PROMPTS: dict[str, str] = {
    "descriptive": "Describe this picture in one paragraph, as a caption for training an image model: who or what it shows, looks, "
                   "clothes, pose, expression, framing, background, light and style. Say only what can be seen, and begin at once.",
    "short": "Describe this picture in one sentence.",
    "prompt": "Write a prompt for an image model that would give this picture: short phrases with commas between, the subject first. "
              "Answer with the prompt alone.",
    "tags": "List Danbooru-style tags for this picture: lower case, commas between, the subject first. Answer with the tags alone.",
}
"""What instructed models are asked, by mode."""
JOY = {
    "descriptive": "Write a long detailed description for this image.",
    "short": "Write a short descriptive caption for this image in a casual tone.",
    "straightforward": "Write a straightforward caption for this image. Begin with the main subject and medium.",
    "prompt": "Output a stable diffusion prompt that is indistinguishable from a real stable diffusion prompt.",
    "midjourney": "Write a MidJourney prompt for this image.",
    "tags": "Generate only comma-separated Danbooru tags (lowercase_underscores).",
    "e621": "Write a comma-separated list of e621 tags in alphabetical order for this image.",
    "rule34": "Write a comma-separated list of rule34 tags in alphabetical order for this image.",
    "booru": "Write a list of Booru-like tags for this image.",
    "art-critic": "Analyze this image like an art critic would with information about its composition, style, symbolism, the use of color, "
                  "light, any artistic movement it might belong to, etc.",
    "product-listing": "Write a caption for this image as though it were a product listing.",
    "social-media": "Write a caption for this image as if it were being used for a social media post.",
}
"""JoyCaption Beta One was trained on these words: the caption types of its makers' own page (CAPTION_TYPE_MAP in app.py of
https://huggingface.co/spaces/fancyfeast/joy-caption-beta-one). Of the longer ones their beginning: what follows there asks of tag lists
for prefixes such as "artist:", which no trainer knows."""
TASKS = {"short": "<CAPTION>", "prompt": "<DETAILED_CAPTION>", "descriptive": "<MORE_DETAILED_CAPTION>"}
"""Florence-2's own task words."""

READY: dict[str, str] = {
    "Character": "Describe this picture in one paragraph. The character is called {trigger}: use that name, and do not describe the face, "
                 "the hair, the eyes or the body. Say the clothes, the pose, the expression, the framing, the background, the light and "
                 "the style.",
    "Character, only a sentence": "Say in one sentence what {trigger} does, wears and where {trigger} is. Do not describe the face or the "
                                  "hair.",
    "Style": "Describe in one paragraph what this picture shows: who or what, the clothes, the pose, things, the background and the light. "
             "Say nothing of the style, the medium or the technique, for these are called {trigger}.",
    "Object": "Describe this picture in one paragraph. The object is called {trigger}: use that name, and do not describe what it is made "
              "of or looks like. Say where it stands, from which side it is seen, what is beside and behind it, and the light.",
    "Clothing": "Describe this picture in one paragraph. The garment is called {trigger}: use that name, and do not describe its cut, "
                "colour or pattern. Say who wears it, with what else, the pose, the framing, the background and the light.",
    "Scene or place": "Describe this picture in one paragraph. The place is called {trigger}: use that name, and do not describe what is "
                      "always there. Say who or what is in it, from where it is seen, the time of day, the weather and the light.",
    "Pose or action": "Describe this picture in one paragraph. The pose or action is called {trigger}: use that name, and do not describe "
                      "it. Say who does it, looks, clothes, expression, framing, background and style.",
    "Tags into sentences": "Write two sentences about {trigger} that say all of these tags which the picture shows, and nothing else: "
                           "{caption}",
}
"""Ready questions for models that take instructions. What belongs to the trigger word is left unsaid, so that it learns just that."""
BEGINNINGS = {"Photo": "a photo of {trigger}", "Drawing": "a drawing of {trigger}", "Style": "a picture in the style of {trigger}, of"}
"""Ready beginnings of BLIP's sentence."""


def ready_questions(prompts: dict[str, str]) -> dict[str, str]:
    """Title → ready question for a captioner with these prompts by mode: task words where it knows nothing else, beginnings for BLIP."""
    if not prompts:
        return BEGINNINGS
    return {word: word for word in prompts.values()} if prompts is TASKS else READY
