"""First contact of pedbench with a GPU: the steps of `tools/first_contact.sh`, and the page about them."""
