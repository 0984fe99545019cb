"""What Copperleaf sells: one line per product, the same every day but for the restock dates, which count from today."""

from __future__ import annotations

from typing import NamedTuple

_CATEGORIES = {"COF": "coffee", "TEA": "tea", "BRW": "brewing gear", "MUG": "mugs", "GFT": "gift boxes"}


class ProductSeed(NamedTuple):
    """A product of the sample shop before it is given dates."""

    sku: str
    name: str
    #: pence
    price: int
    #: pieces on hand
    stock: int
    description: str
    #: days from today until more arrives; none when nothing is on its way
    restock_in_days: int | None = None

    @property
    def category(self) -> str:
        """One of coffee, tea, brewing gear, mugs, gift boxes."""
        return _CATEGORIES[self.sku.partition("-")[0]]


PRODUCTS: tuple[ProductSeed, ...] = (
    # Coffee: whole beans or ground, 250 g bags unless said otherwise.
    ProductSeed("COF-01", "Ethiopia Yirgacheffe", 1150, 84, "Light roast, 250 g. Jasmine, lemon and peach. Washed."),
    ProductSeed(
        "COF-02", "Colombia Huila", 1050, 120, "Medium roast, 250 g. Caramel, red apple, milk chocolate. Washed."
    ),
    ProductSeed("COF-03", "Brazil Fazenda Serra", 950, 143, "Medium-dark roast, 250 g. Hazelnut and cocoa. Natural."),
    ProductSeed("COF-04", "Kenya Nyeri AA", 1295, 0, "Light roast, 250 g. Blackcurrant and tomato leaf. Washed.", 9),
    ProductSeed("COF-05", "Guatemala Antigua", 1100, 61, "Medium roast, 250 g. Orange, toffee and almond. Washed."),
    ProductSeed("COF-06", "Sumatra Mandheling", 1075, 38, "Dark roast, 250 g. Cedar, chocolate and spice. Wet-hulled."),
    ProductSeed(
        "COF-07", "Costa Rica Tarrazu", 1195, 22, "Medium roast, 250 g. Honey, plum, brown sugar. Honey process."
    ),
    ProductSeed("COF-08", "Peru Swiss Water Decaf", 1100, 57, "Medium roast, 250 g, decaffeinated. Cocoa and raisin."),
    ProductSeed("COF-09", "Harbour House Espresso", 990, 210, "Our house blend for espresso, 250 g. Cocoa and walnut."),
    ProductSeed(
        "COF-10", "Harbour House Espresso 1 kg", 3400, 46, "Our house blend for espresso, 1 kg of whole beans."
    ),
    ProductSeed("COF-11", "Copperleaf Filter Blend", 925, 178, "Medium roast for filter and cafetiere, 250 g."),
    ProductSeed(
        "COF-12", "Cold Brew Coarse Ground", 975, 0, "Coarsely ground for cold brew, 250 g. Cherry and cola.", 4
    ),
    # Tea: loose leaf unless said otherwise.
    ProductSeed("TEA-01", "English Breakfast", 695, 190, "Loose black tea, 100 g. Assam and Kenya; strong with milk."),
    ProductSeed(
        "TEA-02", "Earl Grey Blue Flower", 745, 133, "Loose black tea, 100 g, with bergamot oil and cornflowers."
    ),
    ProductSeed(
        "TEA-03", "Darjeeling First Flush", 1395, 18, "Loose black tea, 75 g. Spring picking, floral and brisk."
    ),
    ProductSeed("TEA-04", "Assam Gold Tips", 895, 74, "Loose black tea, 100 g. Malty, full-bodied."),
    ProductSeed("TEA-05", "Lapsang Souchong", 850, 41, "Loose black tea, 75 g, smoked over pine."),
    ProductSeed("TEA-06", "Japanese Sencha", 1095, 66, "Loose green tea, 75 g. Grassy and sweet; brew at 75 degrees."),
    ProductSeed("TEA-07", "Dragon Well Longjing", 1495, 0, "Loose green tea, 50 g. Chestnut and orchid.", 21),
    ProductSeed("TEA-08", "Jasmine Pearls", 1295, 35, "Hand-rolled green tea scented with jasmine, 75 g."),
    ProductSeed("TEA-09", "Ceremonial Matcha", 1995, 27, "Stone-ground green tea, 30 g tin, from Uji."),
    ProductSeed("TEA-10", "Moroccan Mint", 650, 88, "Gunpowder green tea with spearmint, 100 g."),
    ProductSeed("TEA-11", "Masala Chai", 725, 104, "Black tea with cardamom, ginger, cinnamon and clove, 100 g."),
    ProductSeed("TEA-12", "Rooibos Vanilla", 675, 59, "Caffeine-free rooibos with vanilla, 100 g."),
    ProductSeed("TEA-13", "Peppermint Leaf", 575, 97, "Caffeine-free whole peppermint leaf, 50 g."),
    ProductSeed("TEA-14", "Lemon and Ginger Tea Bags", 450, 160, "Caffeine-free, 20 plastic-free tea bags."),
    ProductSeed("TEA-15", "Breakfast Tea Bags", 495, 240, "English Breakfast in 40 plastic-free tea bags."),
    # Brewing gear.
    ProductSeed("BRW-01", "Glass Cafetiere 1 litre", 3200, 29, "Heatproof glass and steel, eight cups."),
    ProductSeed("BRW-02", "Ceramic Pour-Over Dripper", 2250, 33, "For one or two cups; takes size 02 papers."),
    ProductSeed("BRW-03", "Filter Papers Size 02", 595, 310, "Unbleached, 100 papers."),
    ProductSeed("BRW-04", "Burr Hand Grinder", 5900, 0, "Steel burrs, 30 g, 36 settings.", 13),
    ProductSeed("BRW-05", "Gooseneck Kettle", 6900, 12, "Electric, 0.9 litres, holds its temperature. UK plug."),
    ProductSeed("BRW-06", "Stovetop Moka Pot", 3450, 25, "Aluminium, six cups. Not for induction hobs."),
    ProductSeed("BRW-07", "Cast Iron Teapot", 4500, 9, "0.8 litres, enamelled inside, with infuser."),
    ProductSeed("BRW-08", "Tea Infuser Basket", 895, 74, "Fine steel mesh; fits most mugs."),
    ProductSeed("BRW-09", "Bamboo Matcha Whisk", 1450, 0, "Hand-carved, 100 prongs. Discontinued by the maker."),
    ProductSeed("BRW-10", "Digital Brew Scale", 2900, 19, "0.1 g steps up to 2 kg, with a timer. USB-C."),
    # Mugs.
    ProductSeed(
        "MUG-01", "Copper Glaze Mug", 1600, 48, "Stoneware, 350 ml, thrown in Stoke-on-Trent. Dishwasher safe."
    ),
    ProductSeed("MUG-02", "Speckled Stoneware Mug", 1450, 52, "Stoneware, 300 ml. Dishwasher safe."),
    ProductSeed("MUG-03", "Double-Wall Glass Cup Pair", 2100, 0, "Two cups of borosilicate glass, 250 ml each.", 6),
    ProductSeed("MUG-04", "Travel Tumbler", 2400, 36, "Steel, 350 ml, keeps drinks hot for six hours."),
    # Gift boxes.
    ProductSeed("GFT-01", "Coffee Explorer Box", 2900, 31, "Three coffees of 100 g from three continents."),
    ProductSeed("GFT-02", "Tea Lovers Box", 2600, 28, "Six loose teas of 25 g with an infuser basket."),
    ProductSeed("GFT-03", "Chocolate and Coffee Hamper", 4500, 14, "House espresso, four bars. Has milk, nuts, soya."),
    ProductSeed(
        "GFT-04", "Afternoon Tea Hamper", 5200, 0, "Two teas, shortbread and jam. Contains gluten and milk.", 17
    ),
)
