"""Operations across ingest, index and receipts: status and forgetting."""
