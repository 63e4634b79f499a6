"""Four hosts on one machine: network namespaces with addresses, clocks, rates and delays of their own."""
