/// Counts what a cache earns.
pub fn looked_up(cache: &'static str, found: bool) {
    let outcome = if found { "hit" } else { "miss" };
    metrics::counter!("taskfold_cache_lookups_total", "cache" => cache, "outcome" => outcome).increment(1);
}
