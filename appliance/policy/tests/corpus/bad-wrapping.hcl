path "a" {
  min_wrapping_ttl = "2m"
  max_wrapping_ttl = "1m"
}
