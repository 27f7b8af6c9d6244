"""English words that image models know well, so that they are no trigger words."""

from __future__ import annotations

import re

LETTERS = re.compile(r"[^\W\d_]+")
LITTLE_WORDS = frozenset(LETTERS.findall("""
a about above after all always an and another any are around as at back be before behind below beside between big both by can come day down
each every few first for from front go good has have he her here him his how i in inside into is it its just last like little long made
make many me more most my near new next no not of off old on one only open or other our out outside over own she side small so some such
than that the their them then there these they thing this those three through time to top two under up very was we well what when where
which while who with without you your
"""))
"""Words without a plural."""

WORDS = LITTLE_WORDS | frozenset(LETTERS.findall("""
baby boy boyfriend bride brother character child children couple crowd dad daughter family father female folk friend gentleman girl
girlfriend groom grandfather grandmother group guy human husband infant kid lady male man men mom mother people person sister solo son
somebody someone teen teenager toddler twin wife woman women youth figure individual hero heroine villain avatar

actor actress artist assassin astronaut athlete baker boxer builder butcher butler captain chef clown cook cowboy dancer detective doctor
driver emperor empress farmer fighter fireman gardener general geisha guard hunter idol judge king knight maid magician merchant mage
model monk musician ninja nun nurse painter pilot pirate player police policeman priest priestess prince princess professor queen ranger
sailor samurai scientist singer soldier spy student sorceress teacher thief viking waiter waitress warrior witch wizard worker writer

alien android angel beast creature cyborg demon devil dragon dwarf elf fairy ghost giant goblin god goddess golem griffin kitsune mecha
mermaid monster mummy ogre orc phoenix robot skeleton slime spirit succubus troll unicorn vampire werewolf zombie

animal ant bat bear bee bird bull bunny butterfly camel cat chicken cow crab crow deer dinosaur dog dolphin donkey duck eagle elephant
feline fish fox frog giraffe goat goose hamster hawk hen horse insect jellyfish kitten kitty lamb leopard lion lizard monkey mouse octopus
owl ox panda parrot peacock penguin pet pig pigeon pony puppy rabbit raccoon ram rat raven rooster seal shark sheep snail snake spider
squirrel swan tiger toad turtle whale wolf worm zebra

arm beard belly blood body bone brain breast cheek chest chin claw ear elbow eye eyebrow eyelash eyes face fang feather feet finger
fist flesh foot forehead freckle fur hair haired hairstyle hand head heart heel hip horn jaw knee leg lip mane mouth muscle mustache
nail neck nose palm paw scale scar shoulder skin skull stomach tail teeth thigh throat thumb toe tongue tooth waist whisker wing wrist
bald bangs blonde blond brunette braid bun curl curly ponytail redhead twintails freckles tattoo makeup lipstick

apron armor armour bag band beanie belt bikini blazer blouse boot bow bra bracelet button cap cape cloak cloth clothes clothing coat
collar corset costume crown dress earring fabric fashion frill glasses glove goggles gown hat headband headphones helmet hood hoodie
jacket jeans jewel jewelry kimono lace leather leggings mask necklace outfit pajamas panties pants ribbon ring robe sandal scarf shirt
shoe shorts skirt sleeve slipper sneaker sock stocking suit sunglasses sweater swimsuit tiara tie tights trousers tuxedo umbrella
underwear uniform veil vest wig

black blue bronze brown color colored colorful colour coloured crimson cyan dark gold golden gray green grey indigo ivory light magenta
maroon monochrome orange pale pastel pink purple rainbow red scarlet silver teal turquoise violet white yellow

air autumn bamboo beach blossom branch bush canyon cave cherry cliff cloud coast coral desert dew dirt dune dust earth field fire flame
flower fog forest garden glacier grass ground hill ice island jungle lake landscape lava leaf leaves lightning lily meadow mist moon
moonlight moss mountain mud nature night ocean petal pine planet plant pond rain river rock root rose sakura sand sea season seed
shore sky smoke snow spring star starry stars stone storm stream summer sun sunflower sunlight sunrise sunset swamp thunder tree tulip
universe valley volcano water waterfall wave weather wind winter wood wooden world

apartment arch attic balcony barn bar bath bathroom bed bedroom bench bridge building cafe castle cathedral ceiling chair church city
class classroom corridor cottage country curtain cyberpunk door dungeon factory farm fence floor fountain furniture gate hall home
hospital hotel house indoors kitchen library lighthouse mansion market mill museum office outdoors palace park path pillar place pool
prison pyramid road roof room ruin ruins school shop shrine skyscraper stadium stage stair stairs station store street table temple
tent theater tower town train tunnel village wall wallpaper warehouse window yard

airplane apple armchair arrow axe balloon ball banana banner basket beer bell bicycle bike blade blanket boat book bottle bowl box
bread bubble bus cake camera candle candy car card carpet cart cheese chess chocolate cigarette clock coffee coin computer cookie cup
cupcake desk diamond doll donut drink drone drum dumpling egg engine fan feast flag food fork fruit game gem glass grape guitar gun
hammer jar juice key keyboard knife lamp lantern laptop lemon letter machine magic map meal meat medal metal microphone milk mirror
money motorcycle mug mushroom noodle orb paint paper pen pencil phone piano pie pillow pistol pizza plane plate plush pot potion puppet
pumpkin radio rice rifle rocket rope sandwich scroll scythe shell shield ship skateboard soap sofa soup spear spoon staff statue
steel stick strawberry string sushi sword tank tea teapot telephone television toy treasure truck vase vehicle violin wagon wand wallet
watch weapon wheel wine wire

abstract action anime art artstyle artwork background bokeh cartoon chibi cinematic close comic concept cover cute design detail detailed
digital doodle drawing drawn engraving fanart fantasy film flat gothic gouache graffiti graphic icon illustration image impressionism
ink interior line lineart logo manga masterpiece medieval minimalist modern neon noir oil origami ornament ornate painted painting panel
pattern photo photograph photographic photography photorealistic picture pixel pixelart pop portrait poster print quality realism
realistic render retro scene scenery scifi sculpture selfie silhouette simple sketch still style stylized surreal texture traditional
vector view vintage watercolor watercolour wide

adorable ancient angry beautiful bold bright broken calm charming chubby clean clear cold cool crazy creepy cruel curvy cyber dead deep
dirty dreamy dry elegant empty epic evil famous fast fat fierce fine fluffy free fresh frozen full funny gentle gorgeous grand great
handsome happy hard heavy high holy horror hot huge innocent large lazy lonely lost loud lovely low lucky mad magical mature mighty mini
muscular mysterious mystic naked nice noble nude plain playful plump poor pretty proud pure quiet rare raw real rich rough round royal
rusty sacred sad savage scary secret serious sexy shadow sharp shiny short shy silent silky slim slow smart smooth soft spiky spooky
steampunk strange strong sweet tall tan thick thin tiny tough tribal ugly wet wild wise young

angle attack battle breath bite blush crying cry dance dancing dream drinking eating expression fall falling fight fighting flight float
floating fly flying frown grin holding hug jump jumping kick kiss kneeling laugh laughing leaning look looking love lying peace play
playing point pose posing reading ride riding run running sing singing sit sitting sleep sleeping smile smiling smoking standing stare
swim swimming talk talking think throw walk walking waving wearing wink work

beauty birthday christmas darkness death easter energy england english europe european fear festival france french future german
germany glow halloween heaven hell history holiday hope italian japan japanese joy korean life luck memory morning music name nightmare
party past poem poetry power pride queer race religion russian song soul sound sport story strength team test thought trigger
war wedding witchcraft word year chinese american africa african asia asian india indian london paris tokyo spanish

eight eleven five four hundred nine seven six ten thousand twelve
"""))
"""About 1300 words that stand in many captions: people, looks, clothes, animals, places, things, kinds of pictures."""


def is_ordinary(text: str) -> bool:
    """Whether a text is made of ordinary English words alone ("girl", "red_hair", "1girl"); with one invented word it is not."""
    words = LETTERS.findall(text.lower().replace("'s", "").replace("'", ""))
    return bool(words) and all(_is_known(word) for word in words)


def _is_known(word: str) -> bool:
    """Itself or, of a plural, its singular. Names that only look like one (Ares, Ines) are none."""
    singulars = {word[:-1] if word.endswith("s") else "", word[:-2] if word.endswith(("ses", "xes", "zes", "ches", "shes")) else "",
                 word[:-3] + "y" if word.endswith("ies") else ""}
    return word in WORDS or any(len(form) > 2 and form in WORDS - LITTLE_WORDS for form in singulars)
