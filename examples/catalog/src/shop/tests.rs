//! The rules of buying, without MCP or HTTP.

use super::*;

fn skus(products: &[Product]) -> Vec<&str> {
    products.iter().map(|product| product.sku.as_str()).collect()
}

#[test]
fn a_search_finds_every_word_in_name_or_description_whatever_the_case() {
    let shop = Shop::stocked();
    assert_eq!(skus(&shop.search("GREEN tea").unwrap()), ["TEA-002"]);
    assert_eq!(skus(&shop.search("mug").unwrap()), ["CUP-001"]);
    assert!(shop.search("green mug").unwrap().is_empty());
}

#[test]
fn an_empty_search_lists_everything() {
    let shop = Shop::stocked();
    assert_eq!(shop.search("  ").unwrap(), shop.products());
}

#[test]
fn an_endless_search_is_refused() {
    let shop = Shop::stocked();
    assert!(shop.search(&"ö".repeat(MAX_QUERY_CHARACTERS)).is_ok());
    assert_eq!(shop.search(&"ö".repeat(MAX_QUERY_CHARACTERS + 1)), Err(ShopError::QueryTooLong));
}

#[test]
fn skus_are_unique_and_safe_in_a_resource_address() {
    let products = goods::all();
    let shop = Shop::stocked();
    assert_eq!(shop.products().len(), products.len());
    for product in products {
        assert!(product.sku.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{}", product.sku);
    }
}

#[test]
fn an_unknown_sku_is_named_in_the_refusal() {
    let error = Shop::stocked().product("TEA-999").unwrap_err();
    assert_eq!(error, ShopError::UnknownSku { sku: "TEA-999".to_owned() });
    assert!(error.to_string().contains("TEA-999"));
}

#[test]
fn the_cart_adds_up_quantities_and_prices() {
    let shop = Shop::stocked();
    shop.add_to_cart("TEA-002", 1).unwrap();
    shop.add_to_cart("CUP-001", 1).unwrap();
    let cart = shop.add_to_cart("TEA-002", 2).unwrap();
    assert_eq!(
        cart.lines,
        [
            Line { sku: "CUP-001".to_owned(), quantity: 1, price_cents: 1490 },
            Line { sku: "TEA-002".to_owned(), quantity: 3, price_cents: 3750 },
        ]
    );
    assert_eq!(cart.total_cents, 5240);
}

#[test]
fn a_quantity_out_of_range_leaves_the_cart_as_it_was() {
    let shop = Shop::stocked();
    shop.add_to_cart("TEA-001", MAX_QUANTITY).unwrap();
    for quantity in [0, 1, u32::MAX] {
        assert_eq!(shop.add_to_cart("TEA-001", quantity), Err(ShopError::Quantity));
    }
    assert_eq!(shop.checkout().unwrap().cart.lines.len(), 1);
}

#[test]
fn nobody_buys_more_than_the_stock() {
    let shop = Shop::stocked();
    shop.add_to_cart("POT-001", 3).unwrap();
    let refusal = ShopError::OutOfStock { sku: "POT-001".to_owned(), in_stock: 3 };
    assert_eq!(shop.add_to_cart("POT-001", 1), Err(refusal));
    shop.checkout().unwrap();
    assert_eq!(shop.product("POT-001").unwrap().in_stock, 0);
    let refusal = ShopError::OutOfStock { sku: "POT-001".to_owned(), in_stock: 0 };
    assert_eq!(shop.add_to_cart("POT-001", 1), Err(refusal));
}

#[test]
fn a_checkout_empties_the_cart_and_numbers_the_order() {
    let shop = Shop::stocked();
    assert_eq!(shop.checkout(), Err(ShopError::EmptyCart));
    let cart = shop.add_to_cart("TEA-001", 2).unwrap();
    assert_eq!(shop.checkout(), Ok(Order { number: 1, cart }));
    assert_eq!(shop.checkout(), Err(ShopError::EmptyCart));
    shop.add_to_cart("TEA-001", 1).unwrap();
    assert_eq!(shop.checkout().unwrap().number, 2);
}
