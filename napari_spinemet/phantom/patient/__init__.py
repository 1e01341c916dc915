"""A patient painted tissue by tissue: trunk, organs, spine, disease."""
