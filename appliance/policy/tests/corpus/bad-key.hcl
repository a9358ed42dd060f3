path "a" {
  colour = "red"
}
