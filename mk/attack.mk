## make attack     attacks at random on Bochs, several processor models: MINUTES=n, SEED=s, COUNT=attempts of a round

.PHONY: attack
attack: all
	@tools/setup test
	@tests/attack/run --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))
