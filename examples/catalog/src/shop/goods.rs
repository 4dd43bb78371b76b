//! The goods of the example shop. Only data: change it freely.

use super::Product;

/// Everything the shop sells.
pub(super) fn all() -> Vec<Product> {
    vec![
        product("TEA-001", "Assam Breakfast", "Strong black tea for dark mornings", 690, 120),
        product("TEA-002", "Sencha", "Green tea, grassy and light", 1250, 40),
        product("TEA-003", "Rooibos Orange", "Red bush with orange peel, no caffeine", 590, 75),
        product("CUP-001", "Stoneware Mug", "Holds 400 ml and survives the dishwasher", 1490, 30),
        product("CUP-002", "Glass Cup", "Double walled, for tea that is worth a look", 1290, 12),
        product("POT-001", "Cast Iron Teapot", "Keeps a litre warm for an hour", 5900, 3),
    ]
}

fn product(sku: &str, name: &str, description: &str, price_cents: u64, in_stock: u32) -> Product {
    Product { sku: sku.to_owned(), name: name.to_owned(), description: description.to_owned(), price_cents, in_stock }
}
