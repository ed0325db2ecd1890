//! What things cost, by the channel's configuration (`spec 3.9`, `spec 6.2`).

use std::collections::HashMap;

use serde_json::Value;

use super::action::Action;
use crate::error::Error;

/// Prices of actions by impact, where the configuration has none.
const IMPACT_PRICES: [u64; 6] = [10, 25, 50, 100, 250, 500];
/// The highest price: every number up to it is exact in every client.
const PRICE_MAX: u64 = 1 << 53;

/// One thing for sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) price: u64,
    pub(crate) display_name: Option<String>,
}

/// Everything for sale that the configuration tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Catalogue {
    skus: HashMap<String, Product>,
    impact_prices: [u64; 6],
}

/// A whole number of coins, however it is written.
pub fn coins(value: &Value) -> Option<u64> {
    let number = value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.fract() == 0.0)?;
        // Exact: it is whole, and small enough.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "see above"
        )]
        (0.0..=9_007_199_254_740_992.0)
            .contains(&float)
            .then_some(float as u64)
    })?;
    (number <= PRICE_MAX).then_some(number)
}

impl Catalogue {
    /// Reads a configuration. What is not as it must be is not for sale, or has its usual price.
    pub(crate) fn parse(config: &[u8]) -> Result<Self, Error> {
        let config: Value = serde_json::from_slice(config)?;
        let mut skus = HashMap::new();
        for (sku, entry) in config
            .get("skus")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if let Some(price) = entry.get("price").and_then(coins) {
                let name = entry.get("displayName").and_then(Value::as_str);
                let display_name = name.filter(|name| !name.is_empty()).map(str::to_owned);
                skus.insert(
                    sku.clone(),
                    Product {
                        price,
                        display_name,
                    },
                );
            }
        }
        let prices = config
            .pointer("/gateway/impact_prices")
            .and_then(Value::as_array);
        let prices: Option<Vec<u64>> = prices.and_then(|prices| prices.iter().map(coins).collect());
        let impact_prices = prices.and_then(|prices| prices.try_into().ok());
        Ok(Self {
            skus,
            impact_prices: impact_prices.unwrap_or(IMPACT_PRICES),
        })
    }

    /// What a SKU is, if it is for sale by itself.
    pub(crate) fn product(&self, sku: &str) -> Option<&Product> {
        self.skus.get(sku)
    }

    /// What an action costs: by its own entry, else by its impact.
    pub(crate) fn price_of(&self, action: &Action) -> u64 {
        if let Some(product) = self.skus.get(&action.id) {
            return product.price;
        }
        let by_impact = self.impact_prices.get(usize::from(action.impact));
        by_impact.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_price_is_a_whole_number_and_what_has_none_is_not_for_sale() {
        let config = json!({
            "skus": {
                "a": { "price": 5, "displayName": "An A" }, "b": { "price": 5.0 },
                "c": { "price": 5.5 }, "d": { "price": -1 }, "e": { "price": "5" }, "f": {}, "g": 1,
                "h": { "price": 1e300 }, "i": { "price": 0 },
            },
            "gateway": { "impact_prices": [1, 2, 3, 4, 5] },
        });
        let catalogue = Catalogue::parse(config.to_string().as_bytes()).unwrap();
        let price = |sku| catalogue.product(sku).map(|product| product.price);
        let prices = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(price);
        assert_eq!(
            prices,
            [
                Some(5),
                Some(5),
                None,
                None,
                None,
                None,
                None,
                None,
                Some(0)
            ]
        );
        let named = catalogue.product("a").unwrap();
        assert_eq!(named.display_name.as_deref(), Some("An A"));
        // Five prices for six impacts: the usual ones.
        assert_eq!(catalogue.impact_prices, IMPACT_PRICES);
        let config = json!({ "gateway": { "impact_prices": [1, 2, 3, 4, 5, 6.0] } });
        let catalogue = Catalogue::parse(config.to_string().as_bytes()).unwrap();
        assert_eq!(catalogue.impact_prices, [1, 2, 3, 4, 5, 6]);
        assert!(Catalogue::parse(b"{}").is_ok());
    }
}
