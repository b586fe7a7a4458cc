# The console's pages, and their tests in a real browser.
.PHONY: console console-check console-test console-benchmark console-pictures console-packages

CONSOLE_WEB := console/web
CONSOLE_PAGES := console/src/tuning_console/static/index.html

console: console-packages $(CONSOLE_PAGES) ## build the console's pages (npm, from its lock file)

console-packages:
	@$(PYTHON) -m cluster packages --console

$(CONSOLE_WEB)/node_modules/.package-lock.json: $(CONSOLE_WEB)/package.json $(CONSOLE_WEB)/package-lock.json
	@cd $(CONSOLE_WEB) && npm ci --silent
	@touch $@

$(CONSOLE_PAGES): $(CONSOLE_WEB)/node_modules/.package-lock.json $(shell find $(CONSOLE_WEB)/src -type f) $(CONSOLE_WEB)/index.html $(CONSOLE_WEB)/vite.config.ts $(CONSOLE_WEB)/tsconfig.json
	@cd $(CONSOLE_WEB) && npm run --silent build -- --logLevel=warn

console-check: console ## the console's pages: types, and the tests that need no browser
	@cd $(CONSOLE_WEB) && npm test --silent

console-test: venv cluster-build console-check ## the console in a real browser, on a real API server
	$(call pytest,tests/console -m browser)

console-benchmark: venv cluster-build console ## 1,000 trials of 1,000 epochs in the browser: seconds, bytes, memory
	@$(PY) -m tests.console.benchmark

console-pictures: venv cluster-build console ## take the pictures of the console in README and docs
	@$(PY) -m tests.console.pictures
