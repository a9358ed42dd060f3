path "a/*" {
  comment = <<EOT
Several lines,
with "quotes" and # no comment.
EOT
  capabilities = ["read"]
}
path "b/*" {
  comment = <<-EOT
    indented
      more
    EOT
  capabilities = ["read"]
}
