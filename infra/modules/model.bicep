// An Azure OpenAI account with one deployment. It accepts tokens of identities only, which needs the custom subdomain.
param name string
param location string
param tags object
param publicAccess bool

@description('The deployment. The capacity is in thousands of tokens a minute.')
param deployment { name: string, model: string, version: string, sku: string, capacity: int }

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: { name: 'S0' }
  properties: {
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: { defaultAction: publicAccess ? 'Allow' : 'Deny' }
  }

  resource chat 'deployments' = {
    name: deployment.name
    sku: { name: deployment.sku, capacity: deployment.capacity }
    properties: {
      model: { format: 'OpenAI', name: deployment.model, version: deployment.version }
      // The version stays until it is retired. Then a newer one takes over instead of a failure.
      versionUpgradeOption: 'OnceCurrentVersionExpired'
    }
  }
}
