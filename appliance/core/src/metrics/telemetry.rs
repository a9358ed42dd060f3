//! What the configuration says of the metrics: how they are called, and which are told.

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Whether Prometheus gets its text.
    pub prometheus: bool,
    /// What all names begin with.
    pub prefix: String,
    /// Beginnings of names, and whether what begins so is told; the longest counts.
    pub filters: Vec<(String, bool)>,
    /// Whether what no filter names is told.
    pub others: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { prometheus: true, prefix: PREFIX.to_owned(), filters: Vec::new(), others: true }
    }
}

/// What dashboards for Vault know.
const PREFIX: &str = "vault";

impl Telemetry {
    /// As the metric `name` is called; `None` if it is not told.
    pub fn called(&self, name: String) -> Option<String> {
        let name = match name.strip_prefix(PREFIX) {
            Some(rest) if self.prefix != PREFIX => format!("{}{rest}", self.prefix),
            _ => name,
        };
        let fitting = self.filters.iter().filter(|(beginning, _)| name.starts_with(beginning));
        let longest = fitting.max_by_key(|(beginning, _)| beginning.len());
        longest.map_or(self.others, |(_, told)| *told).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_filter_counts() {
        let filters = vec![("vault.expire".to_owned(), false), ("vault.expire.num".to_owned(), true)];
        let telemetry = Telemetry { filters, ..Telemetry::default() };
        let called = |telemetry: &Telemetry, name: &str| telemetry.called(name.to_owned());
        assert_eq!(called(&telemetry, "vault.expire.revoke"), None);
        assert_eq!(called(&telemetry, "vault.expire.num_leases").unwrap(), "vault.expire.num_leases");
        assert_eq!(called(&telemetry, "vault.token.count").unwrap(), "vault.token.count");
        let few = Telemetry {
            others: false,
            prefix: "sr".into(),
            filters: vec![("sr.core".into(), true)],
            ..telemetry
        };
        assert_eq!(called(&few, "vault.token.count"), None);
        assert_eq!(called(&few, "vault.core.unsealed").unwrap(), "sr.core.unsealed");
    }
}
