//! The shop: goods with a price and a stock, one cart, and the orders made from it.
//!
//! It owns the rules of buying and knows nothing of MCP or HTTP. The state lives in the process and is gone with it.
//! There is one cart for everybody: the server has no notion of who is calling.

mod goods;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::schemars;
use rmcp::schemars::transform::{RecursiveTransform, Transform as _};
use serde::Serialize;

/// Most characters of a search query; longer ones can't match a product anyway.
pub const MAX_QUERY_CHARACTERS: usize = 200;
/// Most units of one product in the cart.
pub const MAX_QUANTITY: u32 = 99;

/// One product of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(transform = without_number_formats)]
pub struct Product {
    /// Stock keeping unit: the product's identifier.
    pub sku: String,
    /// Name as shown to customers.
    pub name: String,
    /// One sentence that sells it.
    pub description: String,
    /// Price of one unit, in euro cents.
    pub price_cents: u64,
    /// Units that can still be sold.
    pub in_stock: u32,
}

/// Some units of one product, in the cart or in an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(transform = without_number_formats)]
pub struct Line {
    /// The product's identifier.
    pub sku: String,
    /// Units of it.
    pub quantity: u32,
    /// Price of all of them, in euro cents.
    pub price_cents: u64,
}

/// What is in the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(transform = without_number_formats)]
pub struct Cart {
    /// One line for each product, ordered by `sku`.
    pub lines: Vec<Line>,
    /// Sum of the lines, in euro cents.
    pub total_cents: u64,
}

/// A finished purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(transform = without_number_formats)]
pub struct Order {
    /// Number of the order, counted from 1 in this process.
    pub number: u64,
    /// What was bought.
    pub cart: Cart,
}

/// Takes `uint32` and `uint64` out of a schema: JSON Schema knows no such formats, and clients warn about them.
pub(crate) fn without_number_formats(schema: &mut schemars::Schema) {
    let mut strip = RecursiveTransform(|part: &mut schemars::Schema| {
        part.remove("format");
    });
    strip.transform(schema);
}

/// Why the shop refused. The caller sees the text, so it says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShopError {
    /// The query is too long to be a search.
    #[error("the query has more than {MAX_QUERY_CHARACTERS} characters: search with fewer words")]
    QueryTooLong,
    /// No product has this identifier.
    #[error("no product has the sku {sku:?}: find one with search_products")]
    UnknownSku {
        /// The identifier that was asked for.
        sku: String,
    },
    /// The number of units is out of range.
    #[error("quantity must be from 1 to {MAX_QUANTITY} units of one product in the cart")]
    Quantity,
    /// Fewer units are left than were asked for.
    #[error("only {in_stock} units of {sku:?} are left, counting those in the cart")]
    OutOfStock {
        /// The product's identifier.
        sku: String,
        /// Units that are left.
        in_stock: u32,
    },
    /// There is nothing to buy.
    #[error("the cart is empty: put something in with add_to_cart first")]
    EmptyCart,
}

/// A shop that many callers use at once.
#[derive(Debug)]
pub struct Shop {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    products: BTreeMap<String, Product>,
    cart: BTreeMap<String, u32>,
    orders: u64,
}

impl Shop {
    /// A shop with the goods of this example.
    pub fn stocked() -> Self {
        Self::with(goods::all())
    }

    /// A shop with the given goods and an empty cart.
    pub fn with(products: impl IntoIterator<Item = Product>) -> Self {
        let products = products.into_iter().map(|product| (product.sku.clone(), product)).collect();
        Self { state: Mutex::new(State { products, cart: BTreeMap::new(), orders: 0 }) }
    }

    /// All products, ordered by `sku`.
    pub fn products(&self) -> Vec<Product> {
        self.state().products.values().cloned().collect()
    }

    /// The products whose name or description has every word of `query`, whatever the case; all for an empty query.
    pub fn search(&self, query: &str) -> Result<Vec<Product>, ShopError> {
        if query.chars().count() > MAX_QUERY_CHARACTERS {
            return Err(ShopError::QueryTooLong);
        }
        let query = query.to_lowercase();
        let matches = |product: &&Product| {
            let text = format!("{} {}", product.name, product.description).to_lowercase();
            query.split_whitespace().all(|word| text.contains(word))
        };
        Ok(self.state().products.values().filter(matches).cloned().collect())
    }

    /// The product with this identifier.
    pub fn product(&self, sku: &str) -> Result<Product, ShopError> {
        self.state().product(sku).cloned()
    }

    /// Puts `quantity` more units of a product into the cart and returns the cart.
    pub fn add_to_cart(&self, sku: &str, quantity: u32) -> Result<Cart, ShopError> {
        let mut state = self.state();
        let product = state.product(sku)?;
        let in_stock = product.in_stock;
        let wanted = state.cart.get(sku).copied().unwrap_or(0).saturating_add(quantity);
        if quantity == 0 || wanted > MAX_QUANTITY {
            return Err(ShopError::Quantity);
        }
        if wanted > in_stock {
            return Err(ShopError::OutOfStock { sku: sku.to_owned(), in_stock });
        }
        state.cart.insert(sku.to_owned(), wanted);
        Ok(state.priced_cart())
    }

    /// Buys what is in the cart: takes it from the stock, empties the cart and returns the order.
    pub fn checkout(&self) -> Result<Order, ShopError> {
        let mut state = self.state();
        if state.cart.is_empty() {
            return Err(ShopError::EmptyCart);
        }
        let cart = state.priced_cart();
        for line in &cart.lines {
            if let Some(product) = state.products.get_mut(&line.sku) {
                // `add_to_cart` never lets the cart hold more than the stock.
                product.in_stock = product.in_stock.saturating_sub(line.quantity);
            }
        }
        state.cart.clear();
        state.orders += 1;
        Ok(Order { number: state.orders, cart })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two writes of one operation, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn product(&self, sku: &str) -> Result<&Product, ShopError> {
        self.products.get(sku).ok_or_else(|| ShopError::UnknownSku { sku: sku.to_owned() })
    }

    fn priced_cart(&self) -> Cart {
        let price = |sku: &str| self.products.get(sku).map_or(0, |product| product.price_cents);
        let lines: Vec<Line> = self
            .cart
            .iter()
            .map(|(sku, &quantity)| Line {
                sku: sku.clone(),
                quantity,
                price_cents: price(sku).saturating_mul(u64::from(quantity)),
            })
            .collect();
        let total_cents = lines.iter().map(|line| line.price_cents).sum();
        Cart { lines, total_cents }
    }
}
