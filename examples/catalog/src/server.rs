//! The MCP surface of the shop: four tools, one resource with a template, one prompt.
//!
//! It owns names, descriptions and shapes on the wire, and translates between them and [`Shop`]. A refusal of the shop
//! is a tool result with `isError`, which a model can read and act on; only an address that names no resource is a
//! JSON-RPC error.

use std::sync::Arc;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    ErrorData, Implementation, ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams, PromptMessage,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
    Role, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{
    Json, RoleServer, ServerHandler, prompt, prompt_handler, prompt_router, schemars, tool, tool_handler, tool_router,
};
use serde::{Deserialize, Serialize};

use crate::shop::{Cart, Order, Product, Shop, without_number_formats};

/// Address of the list of all products; one product is at this address, a slash and its `sku`.
const PRODUCTS_URI: &str = "catalog://products";
/// Address of one product.
const PRODUCT_URI_TEMPLATE: &str = "catalog://products/{sku}";
const JSON: &str = "application/json";

/// The MCP server over a shop. Cloning it gives another handle on the same shop.
#[derive(Debug, Clone)]
pub struct Catalog {
    shop: Arc<Shop>,
}

/// Arguments of `search_products`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub struct SearchProducts {
    /// Words that the name or the description must have; empty for everything.
    pub query: String,
}

/// Arguments of `get_product`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub struct GetProduct {
    /// The product's identifier.
    pub sku: String,
}

/// Arguments of `add_to_cart`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[schemars(transform = without_number_formats)]
pub struct AddToCart {
    /// The product's identifier.
    pub sku: String,
    /// Units to add, from 1 to 99.
    pub quantity: u32,
}

/// Arguments of `recommend`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub struct Recommend {
    /// What the customer likes, in their own words.
    pub taste: String,
}

/// What `search_products` found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct SearchResult {
    /// The matching products, ordered by `sku`.
    pub products: Vec<Product>,
}

#[tool_router]
impl Catalog {
    /// A server over `shop`.
    pub fn new(shop: Arc<Shop>) -> Self {
        Self { shop }
    }

    /// Finds products by words in their name or description.
    #[tool(annotations(title = "Search products", read_only_hint = true, open_world_hint = false))]
    fn search_products(
        &self,
        Parameters(SearchProducts { query }): Parameters<SearchProducts>,
    ) -> Result<Json<SearchResult>, String> {
        let products = self.shop.search(&query).map_err(|refusal| refusal.to_string())?;
        Ok(Json(SearchResult { products }))
    }

    /// Returns one product with its price and stock.
    #[tool(annotations(title = "Get product", read_only_hint = true, open_world_hint = false))]
    fn get_product(&self, Parameters(GetProduct { sku }): Parameters<GetProduct>) -> Result<Json<Product>, String> {
        self.shop.product(&sku).map(Json).map_err(|refusal| refusal.to_string())
    }

    /// Puts units of a product into the cart and returns the cart.
    #[tool(annotations(title = "Add to cart", destructive_hint = false, open_world_hint = false))]
    fn add_to_cart(
        &self,
        Parameters(AddToCart { sku, quantity }): Parameters<AddToCart>,
    ) -> Result<Json<Cart>, String> {
        self.shop.add_to_cart(&sku, quantity).map(Json).map_err(|refusal| refusal.to_string())
    }

    /// Buys what is in the cart and returns the order. This can't be undone.
    #[tool(annotations(
        title = "Check out",
        destructive_hint = true,
        idempotent_hint = false,
        open_world_hint = false
    ))]
    fn checkout(&self) -> Result<Json<Order>, String> {
        self.shop.checkout().map(Json).map_err(|refusal| refusal.to_string())
    }
}

#[expect(missing_docs, reason = "`#[prompt]` writes a public function without docs beside `recommend`")]
#[prompt_router]
impl Catalog {
    /// Asks for a recommendation from the products in stock.
    #[prompt(title = "Recommend a product")]
    async fn recommend(&self, Parameters(Recommend { taste }): Parameters<Recommend>) -> Vec<PromptMessage> {
        let mut text = format!("I like: {taste}\n\nRecommend one of these products and say why:\n");
        for product in self.shop.products().iter().filter(|product| product.in_stock > 0) {
            text.push_str("- ");
            text.push_str(&product.sku);
            text.push_str(", ");
            text.push_str(&product.name);
            text.push_str(": ");
            text.push_str(&product.description);
            text.push('\n');
        }
        vec![PromptMessage::new_text(Role::User, text)]
    }
}

#[tool_handler]
#[prompt_handler]
impl ServerHandler for Catalog {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("catalog", env!("CARGO_PKG_VERSION")).with_title("Shop catalog"))
            .with_instructions("Search the catalog, put products into the cart, then check out.")
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let products = Resource::new(PRODUCTS_URI, "products")
            .with_title("All products")
            .with_description("Every product with its price and stock")
            .with_mime_type(JSON);
        Ok(ListResourcesResult::with_all_items(vec![products]))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let product = ResourceTemplate::new(PRODUCT_URI_TEMPLATE, "product")
            .with_title("One product")
            .with_description("The product with this sku")
            .with_mime_type(JSON);
        Ok(ListResourceTemplatesResult::with_all_items(vec![product]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let text = read(&self.shop, &request.uri)?;
        let contents = ResourceContents::text(text, request.uri).with_mime_type(JSON);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

/// The JSON text of the resource at `uri`.
fn read(shop: &Shop, uri: &str) -> Result<String, ErrorData> {
    let not_found = || ErrorData::resource_not_found(format!("no resource is at {uri:?}"), None);
    let text = match uri.strip_prefix(PRODUCTS_URI).ok_or_else(not_found)? {
        "" => serde_json::to_string(&shop.products()),
        path => {
            let sku = path.strip_prefix('/').ok_or_else(not_found)?;
            serde_json::to_string(&shop.product(sku).map_err(|_unknown_sku| not_found())?)
        }
    };
    text.map_err(|error| ErrorData::internal_error(format!("cannot write {uri:?} as JSON: {error}"), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_products_is_a_resource() {
        let shop = Shop::stocked();
        let text = read(&shop, PRODUCTS_URI).unwrap();
        assert_eq!(text, serde_json::to_string(&shop.products()).unwrap());
    }

    #[test]
    fn one_product_is_a_resource() {
        let text = read(&Shop::stocked(), "catalog://products/TEA-001").unwrap();
        assert!(text.contains("Assam Breakfast"), "{text}");
    }

    #[test]
    fn an_address_that_names_nothing_is_not_found() {
        let shop = Shop::stocked();
        for uri in ["", "catalog://orders", "catalog://productsTEA-001", "catalog://products/", "catalog://products/X"]
        {
            let error = read(&shop, uri).unwrap_err();
            assert_eq!(error.code, rmcp::model::ErrorCode::RESOURCE_NOT_FOUND, "{uri}");
        }
    }

    #[test]
    fn every_tool_has_a_description_an_input_and_an_output_schema() {
        let tools = Catalog::tool_router().list_all();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, ["add_to_cart", "checkout", "get_product", "search_products"]);
        for tool in &tools {
            assert!(tool.description.is_some(), "{}", tool.name);
            let output = tool.output_schema.as_ref().unwrap();
            let schemas = serde_json::to_string(&(&tool.input_schema, output)).unwrap();
            assert!(!schemas.contains("uint"), "{} has a format that clients don't know: {schemas}", tool.name);
        }
    }
}
