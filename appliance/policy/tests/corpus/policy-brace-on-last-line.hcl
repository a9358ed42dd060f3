path "a" { capabilities = ["read"]
  comment = "closing brace on the line of the last attribute" }
