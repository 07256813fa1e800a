"""The demo company: a believable B2B SaaS business whose tools send real webhooks."""
